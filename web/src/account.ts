import { button, el, icon } from "./dom";
import { askToSignIn, currentSession, send, type Person } from "./session";
import { text } from "./text";

const words = text.account;

function passwordField(label: string, complete: string): [HTMLElement, HTMLInputElement] {
  const input = el("input", {
    class: "field-input",
    attr: { type: "password", required: true, autocomplete: complete, maxlength: 256 },
  });
  return [el("label", { class: "field" }, el("span", { text: label }), input), input];
}

function passwordForm(person: Person): HTMLElement {
  const [oldField, old] = passwordField(words.old, "current-password");
  const [newField, fresh] = passwordField(words.fresh, "new-password");
  const said = el("p", { class: "reason", attr: { role: "alert" } });
  const submit = el("button", { class: "button", text: words.change, attr: { type: "submit" } });
  // Tells password managers whose password it is.
  const name = el("input", { attr: { type: "text", autocomplete: "username", value: person.name, hidden: true, readonly: true } });
  const form = el("form", { class: "entrance-form" }, name, oldField, newField, el("p", { class: "note", text: words.rule }), said, submit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit.disabled = true;
    void send("PUT", "api/v1/session/password", { old: old.value, new: fresh.value }).then((problem) => {
      submit.disabled = false;
      if (problem === null) {
        form.reset();
        said.replaceChildren(icon("normal"), words.changed);
      } else {
        said.replaceChildren(icon("warning"), problem || text.signIn.offline);
      }
    });
  });
  return form;
}

function signOut(): void {
  void send("DELETE", "api/v1/session").then(() => location.assign("sign-in.html"));
}

function dialogOf(person: Person, passwords: boolean): HTMLDialogElement {
  const dialog = el("dialog", { class: "dialog", attr: { "aria-labelledby": "account-title" } });
  dialog.append(
    el(
      "div",
      { class: "dialog-body" },
      el(
        "div",
        { class: "dialog-head" },
        el("h2", { text: person.name, attr: { id: "account-title" } }),
        button({ icon: "close", label: text.purpose.close, bare: true, class: "dialog-close" }, () => dialog.close()),
      ),
      el("p", { class: "muted", text: words.roles[person.role] }),
      passwords ? el("h3", { text: words.password }) : null,
      passwords ? passwordForm(person) : null,
      el("div", { class: "dialog-actions" }, button({ label: words.signOut, class: "button-sign-out" }, signOut)),
    ),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}

/** The button with the name of who is signed in; nothing where there is no lock. Sends to the sign-in who is not. */
export async function accountButton(open: (dialog: HTMLDialogElement) => void): Promise<HTMLElement | null> {
  const session = await currentSession();
  if (!session.lock) return null;
  const { user } = session;
  if (user === null) {
    askToSignIn();
    return null;
  }
  return button({ label: user.name, class: "button-account", title: words.title(user.name) }, () =>
    open(dialogOf(user, session.sign_in.includes("password"))),
  );
}
