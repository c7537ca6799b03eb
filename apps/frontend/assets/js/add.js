// Puts a product into the cart without loading another page. Who is not logged in sends the form itself, and gets
// the page to do so.
import { showCount, whenLoggedIn } from "./home.js";

async function add(form, state) {
  const response = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: { Accept: "application/json" },
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const { count } = await response.json();
  showCount(count);
  const link = document.createElement("a");
  link.href = form.dataset.cart;
  link.textContent = form.dataset.see;
  state.replaceChildren(`${form.dataset.added} ${count}. `, link);
}

export async function addToCart() {
  await whenLoggedIn;
  for (const form of document.querySelectorAll("form[data-add]")) {
    const state = form.querySelector("[data-state]");
    const button = form.querySelector("button");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (button.getAttribute("aria-disabled") === "true") return;
      button.setAttribute("aria-disabled", "true");
      state.textContent = form.dataset.busy;
      try {
        await add(form, state);
      } catch {
        state.textContent = form.dataset.failed;
      }
      button.removeAttribute("aria-disabled");
    });
  }
}
