/** The pages before the door: sign in, sign up, forgotten password, reset, verification. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, api, explain } from '../api.js';
import { html } from '../html.js';
import { navigate, route } from '../router.js';
import { login, register, reloadProfile, session } from '../store/session.js';
import { Button, Callout, Field, Mark, PasswordField } from '../ui/basics.js';
import { FormError, useForm } from '../ui/dialog.js';

function Gate({ title, intro, children, foot }) {
  return html`<main class="gate" id="content">
    <div class="gate-card">
      <${Mark} size=${44} />
      <h1>${title}</h1>
      ${intro && html`<p class="soft">${intro}</p>`}
      ${children}
      ${foot && html`<p class="gate-foot">${foot}</p>`}
    </div>
  </main>`;
}

/** Where to go afterwards: only a path of ours, whatever the address says. */
function nextPath() {
  const next = route.value.query.get('next') ?? '/';
  return next.startsWith('/') && !next.startsWith('//') && !next.startsWith('/\\') ? next : '/';
}

const keepNext = () => {
  const next = route.value.query.get('next');
  return next ? `?next=${encodeURIComponent(next)}` : '';
};

/** Shown only where the server says that it is a demo. */
function DemoAccounts({ onPick }) {
  const [accounts, setAccounts] = useState([]);
  useEffect(() => {
    api.get('/v1/demo', {}, { anonymous: true }).then(
      (answer) => setAccounts(answer.accounts ?? []),
      () => {},
    );
  }, []);
  if (!accounts.length) return null;
  return html`<section class="demo" aria-label="Demo accounts">
    <h2>This is a demo. Come in as</h2>
    <div class="demo-accounts">
      ${accounts.map((account) => html`<button type="button" key=${account.email} class="chip" onClick=${() => onPick(account)}>${account.display_name ?? account.email.split('@')[0]}</button>`)}
    </div>
  </section>`;
}

export function LoginView() {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const form = useForm(async () => {
    try {
      await login(email.trim(), password);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) throw new ApiError(401, { detail: 'The e-mail address or the password is not right', code: error.code }, null);
      throw error;
    }
    navigate(nextPath(), { replace: true });
  });
  return html`<${Gate} title="Sign in to Rialto" foot=${html`New here? <a href=${`/register${keepNext()}`}>Create an account</a>`}>
    <form class="stack" onSubmit=${form.onSubmit}>
      <${Field} label="E-mail" type="email" name="email" autocomplete="username" required autofocus value=${email} onInput=${(event) => setEmail(event.target.value)} error=${form.fieldError('email')} />
      <${PasswordField} name="password" autocomplete="current-password" required value=${password} onInput=${(event) => setPassword(event.target.value)} error=${form.fieldError('password')} />
      <${FormError}>${form.formError(['email', 'password'])}<//>
      <${Button} kind="primary" type="submit" busy=${form.busy}>Sign in<//>
      <a class="center" href="/forgot">Forgotten your password?</a>
    </form>
    <${DemoAccounts} onPick=${(account) => {
      setEmail(account.email);
      setPassword(account.password ?? '');
    }} />
  <//>`;
}

export function RegisterView() {
  const [fields, setFields] = useState({ display_name: '', email: '', password: '' });
  const set = (name) => (event) => setFields({ ...fields, [name]: event.target.value });
  const form = useForm(async () => {
    await register({ ...fields, display_name: fields.display_name.trim() || undefined, email: fields.email.trim() });
    navigate(nextPath(), { replace: true });
  });
  return html`<${Gate} title="Create your account" foot=${html`Already have one? <a href=${`/login${keepNext()}`}>Sign in</a>`}>
    <form class="stack" onSubmit=${form.onSubmit}>
      <${Field} label="Name" name="name" autocomplete="name" required autofocus maxlength="60" hint="Shown beside what you write." value=${fields.display_name} onInput=${set('display_name')} error=${form.fieldError('display_name')} />
      <${Field} label="E-mail" type="email" name="email" autocomplete="username" required value=${fields.email} onInput=${set('email')} error=${form.fieldError('email')} />
      <${PasswordField} name="password" autocomplete="new-password" required minlength="8" hint="At least 8 characters. A short sentence works well." value=${fields.password} onInput=${set('password')} error=${form.fieldError('password')} />
      <${FormError}>${form.formError(['display_name', 'email', 'password'])}<//>
      <${Button} kind="primary" type="submit" busy=${form.busy}>Create account<//>
    </form>
  <//>`;
}

export function ForgotView() {
  const [email, setEmail] = useState('');
  const [sent, setSent] = useState(false);
  const form = useForm(async () => {
    await api.post('/v1/auth/password/forgot', { email: email.trim() }, { anonymous: true });
    setSent(true);
  });
  if (sent) {
    return html`<${Gate} title="Look into your mail" intro=${`If ${email.trim()} belongs to an account, a link to set a new password is on its way.`} foot=${html`<a href="/login">Back to sign in</a>`} />`;
  }
  return html`<${Gate} title="Set a new password" intro="We send a link to your e-mail address." foot=${html`<a href="/login">Back to sign in</a>`}>
    <form class="stack" onSubmit=${form.onSubmit}>
      <${Field} label="E-mail" type="email" autocomplete="username" required autofocus value=${email} onInput=${(event) => setEmail(event.target.value)} error=${form.fieldError('email')} />
      <${FormError}>${form.formError(['email'])}<//>
      <${Button} kind="primary" type="submit" busy=${form.busy}>Send the link<//>
    </form>
  <//>`;
}

export function ResetView() {
  const token = route.value.query.get('token');
  const [password, setPassword] = useState('');
  const [done, setDone] = useState(false);
  const form = useForm(async () => {
    await api.post('/v1/auth/password/reset', { token, password }, { anonymous: true });
    setDone(true);
  });
  if (!token) return html`<${Gate} title="This link is incomplete" intro="Open the link from the mail again, or ask for a new one." foot=${html`<a href="/forgot">Ask for a new link</a>`} />`;
  if (done) return html`<${Gate} title="Your new password is set" intro="You have been signed out on other devices." foot=${html`<a href="/login">Sign in</a>`} />`;
  return html`<${Gate} title="Set a new password" foot=${html`<a href="/forgot">Ask for a new link</a>`}>
    <form class="stack" onSubmit=${form.onSubmit}>
      <${PasswordField} label="New password" autocomplete="new-password" required minlength="8" autofocus hint="At least 8 characters." value=${password} onInput=${(event) => setPassword(event.target.value)} error=${form.fieldError('password')} />
      <${FormError}>${form.formError(['password'])}<//>
      <${Button} kind="primary" type="submit" busy=${form.busy}>Set password<//>
    </form>
  <//>`;
}

export function VerifyView() {
  const token = route.value.query.get('token');
  const [state, setState] = useState({ done: false, error: null });
  useEffect(() => {
    if (!token) return;
    api.post('/v1/auth/verify', { token }, { anonymous: true }).then(
      () => {
        setState({ done: true, error: null });
        if (session.value) reloadProfile().catch(() => {});
      },
      (error) => setState({ done: false, error }),
    );
  }, [token]);
  const onward = html`<a href="/">Go to Rialto</a>`;
  if (!token) return html`<${Gate} title="This link is incomplete" intro="Open the link from the mail again." foot=${onward} />`;
  if (state.error) {
    return html`<${Gate} title="This address was not confirmed" foot=${onward}><${Callout} kind="danger" icon="circle-alert" role="alert">${state.error.status < 500 ? 'The link has expired or was used before. You can ask for a new one in your settings.' : explain(state.error)}<//><//>`;
  }
  return html`<${Gate} title=${state.done ? 'Your address is confirmed' : 'Confirming your address…'} foot=${state.done ? onward : null} />`;
}
