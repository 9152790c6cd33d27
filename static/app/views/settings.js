/** One's own things: profile, look, password, sessions. */
import { useState } from 'preact/hooks';
import { api } from '../api.js';
import { html } from '../html.js';
import { Icon } from '../icons.js';
import { logout, saveProfile, session } from '../store/session.js';
import { setTheme, theme } from '../store/theme.js';
import { Avatar, Button, Callout, Field, PasswordField } from '../ui/basics.js';
import { ConnectionLine } from '../ui/connection_line.js';
import { Confirm, FormError, showDialog, useForm } from '../ui/dialog.js';
import { attempt, say } from '../ui/toast.js';

function Profile() {
  const { user } = session.value;
  const [fields, setFields] = useState({ display_name: user.display_name, handle: user.handle, bio: user.bio ?? '' });
  const set = (name) => (event) => setFields({ ...fields, [name]: event.target.value });
  const form = useForm(async () => {
    const changed = Object.entries(fields).filter(([name, value]) => value !== (user[name] ?? ''));
    if (changed.length) await saveProfile(Object.fromEntries(changed));
    say('Profile saved.');
  });
  return html`<section class="panel" aria-labelledby="profile-title">
    <h2 id="profile-title">Profile</h2>
    <div class="profile"><${Avatar} id=${user.id} name=${fields.display_name} size="huge" />
      <div class="clip"><h3 class="ellipsis">${user.display_name}</h3><p class="soft ellipsis">${user.email}</p></div></div>
    ${user.email_verified === false &&
    html`<${Callout} kind="wait" icon="mail">Your e-mail address is not confirmed yet.
      <button type="button" class="link" onClick=${() =>
        attempt(async () => {
          await api.post('/v1/auth/verify/resend');
          say('A new mail is on its way.');
        })}>Send the mail again</button><//>`}
    <form class="stack" onSubmit=${form.onSubmit}>
      <${Field} label="Name" required maxlength="60" value=${fields.display_name} onInput=${set('display_name')} error=${form.fieldError('display_name')} />
      <${Field} label="Handle" required maxlength="32" hint="Others mention you with @ and this." value=${fields.handle} onInput=${set('handle')} error=${form.fieldError('handle')} autocapitalize="off" spellcheck=${false} />
      <${Field} label="About you" optional multiline maxlength="500" value=${fields.bio} onInput=${set('bio')} error=${form.fieldError('bio')} />
      <${FormError}>${form.formError(['display_name', 'handle', 'bio'])}<//>
      <div class="actions start"><${Button} kind="primary" type="submit" busy=${form.busy}>Save profile<//></div>
    </form>
  </section>`;
}

const THEMES = [
  ['system', 'monitor', 'System'],
  ['light', 'sun', 'Light'],
  ['dark', 'moon', 'Dark'],
];

function Look() {
  return html`<section class="panel" aria-labelledby="look-title">
    <h2 id="look-title">Appearance</h2>
    <fieldset class="segments">
      <legend class="unseen">Theme</legend>
      ${THEMES.map(
        ([key, icon, label]) => html`<label key=${key} class="segment"><input type="radio" name="theme" checked=${theme.value === key} onChange=${() => setTheme(key)} /><span><${Icon} name=${icon} size=${16} />${label}</span></label>`,
      )}
    </fieldset>
  </section>`;
}

function Password() {
  const [fields, setFields] = useState({ current_password: '', new_password: '' });
  const set = (name) => (event) => setFields({ ...fields, [name]: event.target.value });
  const form = useForm(async () => {
    await api.post('/v1/auth/password/change', fields);
    setFields({ current_password: '', new_password: '' });
    say('Password changed.');
  });
  return html`<section class="panel" aria-labelledby="password-title">
    <h2 id="password-title">Password</h2>
    <form class="stack" onSubmit=${form.onSubmit}>
      <input class="unseen" type="text" autocomplete="username" value=${session.value.user.email} readonly tabindex="-1" aria-hidden="true" />
      <${PasswordField} label="Current password" autocomplete="current-password" required value=${fields.current_password} onInput=${set('current_password')} error=${form.fieldError('current_password')} />
      <${PasswordField} label="New password" autocomplete="new-password" required minlength="8" value=${fields.new_password} onInput=${set('new_password')} error=${form.fieldError('new_password') ?? form.fieldError('password')} />
      <${FormError}>${form.formError(['current_password', 'new_password', 'password'])}<//>
      <div class="actions start"><${Button} type="submit" busy=${form.busy}>Change password<//></div>
    </form>
  </section>`;
}

function Sessions() {
  const everywhere = () =>
    showDialog(Confirm, {
      title: 'Sign out everywhere?',
      children: 'You are signed out here and on every other device.',
      action: 'Sign out everywhere',
      danger: true,
      run: () => logout({ everywhere: true }),
    });
  return html`<section class="panel" aria-labelledby="sessions-title">
    <h2 id="sessions-title">Sessions</h2>
    <div class="actions start">
      <${Button} icon="log-out" onClick=${() => attempt(() => logout())}>Sign out<//>
      <${Button} kind="danger" onClick=${everywhere}>Sign out everywhere<//>
    </div>
  </section>`;
}

export function SettingsView() {
  return html`<div class="page">
    <header class="bar"><h1 class="grow">Settings</h1></header>
    <${ConnectionLine} />
    <div class="page-body panels"><${Profile} /><${Look} /><${Password} /><${Sessions} /></div>
  </div>`;
}
