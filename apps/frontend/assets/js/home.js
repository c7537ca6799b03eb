// Public pages are the same for everybody: who is logged in and what is in the cart comes from /api/home.
const language = document.body.dataset.language;

let loggedIn;
export const whenLoggedIn = new Promise((resolve) => {
  loggedIn = resolve;
});

export function showCount(count) {
  const badge = document.querySelector("[data-cart-count]");
  badge.textContent = String(count);
  badge.hidden = count === 0;
}

function showName(me) {
  const account = document.querySelector("[data-account]");
  account.textContent = me.name;
  if (me.admin) document.querySelector("[data-audit]").hidden = false;
}

function write(price) {
  const digits = new Intl.NumberFormat("en", { style: "currency", currency: price.currency }).resolvedOptions()
    .maximumFractionDigits;
  const value = price.amount / 10 ** digits;
  return new Intl.NumberFormat(language, {
    style: "currency",
    currency: price.currency,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: Number.isInteger(value) ? 0 : digits,
  }).format(value);
}

function card(template, product, pictures) {
  const item = template.content.cloneNode(true);
  const link = item.querySelector("a");
  link.href = `/${language}/shop/${product.id}`;
  link.textContent = product.name;
  link.lang = /[\u0400-\u04ff]/.test(product.name) ? "ru" : "en";
  item.querySelector(".price").textContent = write(product.price);
  item.querySelector(".tile").classList.add(`tile-${product.picture in pictures ? product.picture : "box"}`);
  item.querySelector("img").src = pictures[product.picture] ?? pictures.box;
  return item;
}

function showRecommendations(section, products) {
  const shown = products.filter((product) => !location.pathname.endsWith(`/shop/${product.id}`));
  if (shown.length === 0) return;
  const template = section.querySelector("template");
  const pictures = JSON.parse(section.dataset.recommendations);
  section.querySelector("ul").append(...shown.map((product) => card(template, product, pictures)));
  section.hidden = false;
}

export async function showHome() {
  const section = document.querySelector("[data-recommendations]");
  const parts = ["me", "cart", ...(section ? ["recommendations"] : [])];
  let home;
  try {
    const response = await fetch(`/api/home?parts=${parts}`, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    home = await response.json();
  } catch {
    return; // the page is complete without it
  }
  if (home.me) showName(home.me);
  if (home.cart) {
    showCount(home.cart.count);
    loggedIn();
  }
  if (section && home.recommendations) showRecommendations(section, home.recommendations);
}
