// A form is sent once, however often its button is pressed; problems get the focus; moments are in local time.
export function takeFocus() {
  document.querySelector("[data-focus]")?.focus();
}

export function onceOnly() {
  for (const form of document.querySelectorAll("form[data-once]")) {
    const button = form.querySelector("button[type=submit]");
    const label = button.textContent;
    let sent = false;
    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault();
      sent = true;
      if (form.dataset.busy) button.textContent = form.dataset.busy;
    });
    // Coming back with the browser's button shows the page as it was left.
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      sent = false;
      button.textContent = label;
    });
  }
}

export function localTimes() {
  // English as the server writes it: the day first, and hours up to 23.
  const locale = { en: "en-GB" }[document.body.dataset.language] ?? document.body.dataset.language;
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" });
  for (const element of document.querySelectorAll("time[datetime]")) {
    element.textContent = format.format(new Date(element.dateTime));
  }
}
