import { button, el, icon } from "./dom";
import { currentSession, localPath, send } from "./session";
import { text } from "./text";
import { themeSwitch } from "./theme";

const words = text.signIn;
const query = new URLSearchParams(location.search);
const next = localPath(query.get("next"));
const failure = el("p", { class: "reason", attr: { role: "alert" } });

function fail(why: string): void {
  failure.replaceChildren(icon("warning"), why);
}

function field(label: string, attributes: Record<string, string | boolean>): HTMLInputElement {
  return el("input", { class: "field-input", attr: { required: true, "aria-label": label, ...attributes } });
}

function labelled(label: string, input: HTMLInputElement): HTMLElement {
  input.removeAttribute("aria-label");
  return el("label", { class: "field" }, el("span", { text: label }), input);
}

function passwordForm(): HTMLFormElement {
  const name = field(words.name, { name: "name", autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const password = field(words.password, { name: "password", type: "password", autocomplete: "current-password" });
  const submit = el("button", { class: "button button-primary", text: words.submit, attr: { type: "submit" } });
  const form = el("form", { class: "entrance-form" }, labelled(words.name, name), labelled(words.password, password), submit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit.disabled = true;
    failure.replaceChildren();
    void send("POST", "api/v1/session", { name: name.value, password: password.value }).then((problem) => {
      if (problem === null) {
        location.replace(next);
        return;
      }
      submit.disabled = false;
      fail(problem || words.offline);
      password.select();
    });
  });
  return form;
}

function providerButton(): HTMLElement {
  return button({ label: words.provider, class: "button-provider" }, () => {
    location.assign(`api/v1/oidc/start?next=${encodeURIComponent(next === "./" ? "/" : next)}`);
  });
}

document.documentElement.lang = text.language;
const session = await currentSession();
if (!session.lock || session.user !== null) location.replace(next);
const ways = session.sign_in;
document.body.append(
  el(
    "main",
    { class: "entrance-panel" },
    el("div", { class: "entrance-head" }, el("h1", { text: words.title }), themeSwitch()),
    el("p", { class: "muted", text: words.body }),
    failure,
    ways.includes("password") ? passwordForm() : null,
    ways.includes("oidc") ? providerButton() : null,
  ),
);
const problem = query.get("problem");
if (problem !== null) fail(words.problems[problem] ?? words.offline);
document.querySelector<HTMLInputElement>(".field-input")?.focus();
export {};
