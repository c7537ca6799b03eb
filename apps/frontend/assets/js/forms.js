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
  const format = new Intl.DateTimeFormat(document.body.dataset.language, { dateStyle: "long", timeStyle: "short" });
  for (const element of document.querySelectorAll("time[datetime]")) {
    element.textContent = format.format(new Date(element.dateTime));
  }
}
