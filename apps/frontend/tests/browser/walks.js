// What people do in the shop.
const WORDS = {
  en: { add: "Add to cart", login: "Log in", register: "Make account", checkout: "Check out", order: "Place the order", cancel: /Cancel the order/, again: /again/i, out: "Log out" },
  ru: { add: "В корзину", login: "Войти", register: "Зарегистрироваться", checkout: "Оформить заказ", order: "Заказать", cancel: /Отменить заказ/, again: /ещё раз/i, out: "Выйти" },
};
const PASSWORD = "correct horse battery";

function button(page, name) {
  return page.locator("main").getByRole("button", { name, exact: typeof name === "string" });
}

// Opens a product that a person who is logged in may add. A click before the script knows that they are would send the
// form itself, which is fine for a person, and shows another page than these walks wait for.
async function product(page, path) {
  await page.goto(path, { waitUntil: "networkidle" });
}

async function expectText(page, pattern) {
  await page.getByText(pattern).first().waitFor({ timeout: 5000 });
}

async function register(page, email, word) {
  await page.fill("#name", "Анна Ivanova");
  await page.fill("#email", email);
  await page.fill("#password", PASSWORD);
  await button(page, word.register).click();
}

async function buy({ page, look, language, email, scripts }) {
  const word = WORDS[language];
  await page.goto(`/${language}/shop/`);
  await look("shop");
  await page.goto(`/${language}/shop/?page=2`);
  await look("shop-page-2");
  await page.fill("#q", "coffee");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=coffee/);
  await look("search");
  await page.goto(`/${language}/shop/?q=qwertz`);
  await look("search-none");
  await product(page, `/${language}/shop/40`);
  await look("product-few");
  await page.goto(`/${language}/shop/41`);
  await look("product-gone");
  await page.goto(`/${language}/shop/24`);
  await look("product");
  await page.fill("#quantity", "2");
  await button(page, word.add).click();
  await page.waitForURL(/login/);
  await look("login");
  await page.locator("main p a").last().click();
  await page.waitForURL(/register/);
  await look("register");
  await register(page, email, word);
  await page.waitForURL(/cart/);
  await look("cart");
  await product(page, `/${language}/shop/8`);
  await page.fill("#quantity", "2");
  await button(page, word.add).click();
  if (scripts) {
    await page.locator("[data-state] a").waitFor();
    await look("product-added");
    if ((await page.locator("[data-cart-count]").textContent()) !== "3") throw new Error("wrong count in the head");
  }
  await page.goto(`/${language}/cart`);
  await page.locator(".line").nth(1).locator("input[type=number]").fill("5");
  await page.locator(".line").nth(1).locator("button").first().click();
  await page.waitForURL(/done=changed/);
  await look("cart-changed");
  await page.locator("main").getByRole("link", { name: word.checkout }).click();
  await page.waitForURL(/checkout/);
  await look("checkout");
  await page.fill("#note", "Evenings, please");
  await button(page, word.order).click();
  await page.waitForURL(/orders\?new=/);
  await look("orders");
  await page.goto(`/${language}/cart`);
  await look("cart-empty");
  await page.goto(`/${language}/account/orders`);
  await button(page, word.out).click();
  await page.waitForURL(/login/);
  await look("logged-out");
}

async function keyboard({ page, language }) {
  await page.goto(`/${language}/shop/`);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/shop\/1$/);
}

async function mistakes({ page, look, fail, language, email, scripts }) {
  const word = WORDS[language];
  await fail("users/down/0");
  await page.goto(`/${language}/account/login`);
  await page.fill("#email", "nobody@example.org");
  await page.fill("#password", "wrong password");
  await button(page, word.login).click();
  await page.locator(".notice-bad").waitFor();
  await look("login-wrong");
  await page.goto(`/${language}/account/register`);
  await page.fill("#name", "A");
  await page.fill("#email", "somebody@invalid");
  await page.fill("#password", PASSWORD);
  await button(page, word.register).click();
  await page.locator(".notice-bad").waitFor();
  await look("register-wrong");
  await page.goto(`/${language}/no/such/page`);
  await look("not-found");
  await page.goto(`/${language}/account/register`);
  await register(page, email, word);
  await page.waitForURL(/shop/);
  await product(page, `/${language}/shop/40`);
  await page.locator("#quantity").fill("5");
  await button(page, word.add).click();
  if (scripts) await page.locator("[data-state] a").waitFor();
  await page.goto(`/${language}/cart`);
  await page.locator("main input[type=number]").fill("9");
  await page.locator(".line button").first().click();
  await page.waitForURL(/done=changed/);
  await look("cart-short");
  await page.goto(`/${language}/checkout`);
  await button(page, word.order).click();
  await page.locator(".notice-bad").waitFor();
  await look("checkout-short");
}

async function outages({ page, look, fail, language, email, scripts }) {
  const word = WORDS[language];
  await fail("users/down/0");
  await page.goto(`/${language}/account/register`);
  await register(page, email, word);
  await page.waitForURL(/shop/);
  await product(page, `/${language}/shop/3`);
  await button(page, word.add).click();
  if (scripts) await page.locator("[data-state] a").waitFor();
  await fail("products/down/1");
  await page.goto(`/${language}/shop/`);
  await look("shop-down");
  await page.goto(`/${language}/cart`);
  await look("cart-without-products");
  await fail("products/down/0");
  await page.goto(`/${language}/checkout`);
  await fail("orders/down/1");
  await button(page, word.order).click();
  await page.locator(".notice-bad").waitFor();
  await look("checkout-undone");
  await fail("orders/down/0");
  await fail("orders/vague/1");
  await button(page, word.again).click();
  await page.locator(".notice-bad").waitFor();
  await look("checkout-unknown");
  await button(page, word.again).click();
  await page.waitForURL(/orders\?new=/);
  if ((await page.locator(".order").count()) !== 1) throw new Error("a repeated checkout made a second order");
}

async function order(page, language, scripts) {
  const word = WORDS[language];
  await product(page, `/${language}/shop/3`);
  await button(page, word.add).click();
  if (scripts) await page.locator("[data-state] a").waitFor();
  await page.goto(`/${language}/checkout`);
  await button(page, word.order).click();
  await page.waitForURL(/orders\?new=/);
}

async function orders({ page, look, fail, language, email, scripts }) {
  const word = WORDS[language];
  await fail("orders/step/0");
  await page.goto(`/${language}/account/register`);
  await register(page, email, word);
  await page.waitForURL(/shop/);
  await order(page, language, scripts);
  await look("order-placed");
  await button(page, word.cancel).click();
  await page.waitForURL(/done=cancelled/);
  await look("order-cancelled");
  await order(page, language, scripts);
  for (const [step, status] of ["paid", "packed", "shipped"].entries()) {
    await fail(`orders/step/${step + 1}`);
    if (!scripts) await page.reload();
    await page.locator(`.status-${status}`).waitFor({ timeout: 10000 });
    await look(`order-${status}`);
  }
  await fail("orders/step/0");
}

async function administrator({ page, look, fail, language, email }) {
  await fail("users/down/0");
  await page.goto(`/${language}/account/register`);
  await register(page, email, WORDS[language]);
  await page.waitForURL(/shop/);
  await page.goto(`/${language}/account/events`);
  await look("events-refused");
  await fail(`administrator/${email}`);
  await page.goto(`/${language}/shop/`);
  await page.locator("[data-audit]").click();
  await page.waitForURL(/account\/events$/);
  await look("events");
  await page.locator("summary").nth(2).click();
  await look("events-details");
  await page.locator("main form select").selectOption("order.created");
  await page.locator("main form button").click();
  await page.waitForURL(/type=order.created/);
  await page.locator("[rel=next]").click();
  await page.waitForURL(/before=/);
  await look("events-older");
  await page.goto(`/${language}/account/events?user=nobody`);
  await page.locator(".notice-bad").waitFor();
  await look("events-wrong");
}

async function developers({ page, look }) {
  await page.goto("/api/docs");
  await page.locator(".opblock").first().waitFor();
  await look("docs");
}

export function* walks() {
  for (const language of ["en", "ru"]) {
    for (const size of ["phone", "desktop"]) {
      for (const scheme of ["light", "dark"]) {
        const world = { language, size, scheme, scripts: true };
        yield { name: "buy", steps: buy, ...world };
        yield { name: "mistakes", steps: mistakes, ...world };
        yield { name: "outages", steps: outages, ...world };
      }
    }
    yield { name: "orders", steps: orders, language, size: "phone", scheme: "light", scripts: true };
    yield { name: "orders", steps: orders, language, size: "desktop", scheme: "dark", scripts: true };
    yield { name: "orders", steps: orders, language, size: "desktop", scheme: "light", scripts: false };
    yield { name: "administrator", steps: administrator, language, size: "phone", scheme: "dark", scripts: true };
    yield { name: "administrator", steps: administrator, language, size: "desktop", scheme: "light", scripts: true };
    yield { name: "keyboard", steps: keyboard, language, size: "desktop", scheme: "light", scripts: true };
    yield { name: "buy", steps: buy, language, size: "phone", scheme: "light", scripts: false };
    yield { name: "outages", steps: outages, language, size: "desktop", scheme: "light", scripts: false };
  }
  for (const size of ["phone", "desktop"]) {
    yield { name: "developers", steps: developers, language: "en", size, scheme: "light", scripts: true };
  }
}
