// Shows how orders go on without loading the page again. Asks less and less often while nothing changes, and no more
// once every order of the page is final, or when somebody else is logged in.
const FIRST_MS = 1000;
const LONGEST_MS = 30000;

function show(article, order) {
  const text = article.querySelector("[data-status-text]");
  text.className = `status status-${order.status}`;
  text.textContent = order.text;
  article.querySelector("[data-status-help]").textContent = order.help;
  article.dataset.status = order.status;
  if (!order.cancellable) article.querySelector("[data-cancel]")?.remove();
  if (order.final) delete article.dataset.order;
}

/** Whether anything changed. */
async function ask(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" }, redirect: "error" });
  if (!response.ok) throw response;
  const { orders } = await response.json();
  let changed = false;
  for (const order of orders) {
    const article = document.querySelector(`[data-order="${order.id}"]`);
    if (!article || article.dataset.status === order.status) continue;
    show(article, order);
    changed = true;
  }
  return changed;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const visible = () =>
  document.hidden
    ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }))
    : undefined;

export async function followOrders() {
  const url = document.querySelector("[data-states]")?.dataset.states;
  let wait = FIRST_MS;
  while (url && document.querySelector("[data-order]")) {
    await pause(wait);
    await visible();
    let changed = false;
    try {
      changed = await ask(url);
    } catch (problem) {
      if (problem.status === 401) return;
    }
    wait = changed ? FIRST_MS : Math.min(LONGEST_MS, wait * 1.5);
  }
}
