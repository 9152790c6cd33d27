/** Finding communities: what there is, joining, creating; and the page behind an invite link. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, api, explain } from '../api.js';
import { html } from '../html.js';
import { Icon } from '../icons.js';
import { navigate, route } from '../router.js';
import { communities, placesState, readPlaces } from '../store/places.js';
import { session } from '../store/session.js';
import { Avatar, Button, Mark, Notice, Skeleton } from '../ui/basics.js';
import { ConnectionLine } from '../ui/connection_line.js';
import { showDialog } from '../ui/dialog.js';
import { JoinDialog, NewCommunity } from '../ui/forms.js';

const POLICY = { open: ['globe', 'Open to all'], request: ['user-check', 'On request'], invite: ['lock', 'By invitation'] };

export function memberWords(count) {
  return `${count} ${count === 1 ? 'member' : 'members'}`;
}

function CommunityCard({ community }) {
  const [icon, words] = POLICY[community.join_policy] ?? POLICY.open;
  return html`<li class="card">
    <div class="card-head">
      <${Avatar} id=${community.id} name=${community.name} square size="large" />
      <div class="grow clip"><h2 class="ellipsis">${community.name}</h2>
        <p class="faint facts"><span class="count">${memberWords(community.member_count)}</span><span><${Icon} name=${icon} size=${13} />${words}</span></p></div>
    </div>
    <p class="soft clamp grow">${community.description || 'No description yet.'}</p>
    ${community.role
      ? html`<${Button} onClick=${() => navigate(`/c/${community.id}`)} aria-label=${`Open ${community.name}`}>Open<//>`
      : community.requested
        ? html`<${Button} disabled>Requested<//>`
        : html`<${Button} kind="primary" onClick=${() => showDialog(JoinDialog, { community })} aria-label=${`${community.join_policy === 'request' ? 'Ask to join' : 'Join'} ${community.name}`}>${community.join_policy === 'request' ? 'Ask to join' : 'Join'}<//>`}
  </li>`;
}

export function CommunitiesView() {
  const [query, setQuery] = useState('');
  const { state, error } = placesState.value;
  const wanted = query.trim().toLowerCase();
  const shown = communities.value.filter((community) => !wanted || `${community.name} ${community.description ?? ''}`.toLowerCase().includes(wanted));
  return html`<div class="page">
    <header class="bar"><h1 class="grow">Communities</h1><${Button} kind="primary" icon="plus" onClick=${() => showDialog(NewCommunity)}>Create<//></header>
    <${ConnectionLine} />
    <div class="page-body">
      <label class="search"><${Icon} name="search" size=${16} /><input type="search" placeholder="Find a community" aria-label="Find a community" value=${query} onInput=${(event) => setQuery(event.target.value)} /></label>
      ${state === 'loading' && html`<${Skeleton} rows=${3} kind="talk" />`}
      ${state === 'error' && html`<${Notice} icon="circle-alert" title="The communities did not load" role="alert" action=${html`<${Button} onClick=${readPlaces}>Try again<//>`}>${explain(error)}<//>`}
      <ul class="cards">${shown.map((community) => html`<${CommunityCard} key=${community.id} community=${community} />`)}</ul>
      ${state === 'ready' && shown.length === 0 && html`<${Notice} icon="compass" title=${wanted ? 'Nothing found' : 'No communities yet'}>${wanted ? 'Try another word.' : 'Create the first one and invite people to it.'}<//>`}
    </div>
  </div>`;
}

export function InviteView() {
  const { code } = route.value.params;
  const [state, setState] = useState({ preview: null, error: null });
  const read = () => {
    setState({ preview: null, error: null });
    api.get(`/v1/invites/${encodeURIComponent(code)}`, {}, { anonymous: !session.value }).then(
      (preview) => setState({ preview, error: null }),
      (error) => setState({ preview: null, error }),
    );
  };
  useEffect(read, [code]);
  const { preview, error } = state;
  const community = preview && {
    ...(preview.community ?? {}),
    id: preview.community?.id ?? preview.community_id ?? preview.id,
    name: preview.community?.name ?? preview.community_name ?? preview.name,
    member_count: preview.community?.member_count ?? preview.member_count ?? 0,
    guidelines: preview.community?.guidelines ?? preview.guidelines ?? null,
    description: preview.community?.description ?? preview.description ?? null,
  };
  const here = encodeURIComponent(`/invite/${code}`);
  const dead = preview?.expired || (error instanceof ApiError && error.status === 404);
  return html`<main class="gate" id="content">
    <div class="gate-card">
      <${Mark} size=${44} />
      ${!preview && !error && html`<${Skeleton} rows=${2} />`}
      ${dead && html`<h1>This invite no longer works</h1><p class="soft">It has expired or was used up. Ask for a new one.</p><${Button} onClick=${() => navigate('/')}>Go to Rialto<//>`}
      ${error && !dead && html`<h1>The invite did not load</h1><p class="soft">${explain(error)}</p><${Button} onClick=${read}>Try again<//>`}
      ${preview &&
      !dead &&
      html`<p class="soft">You are invited to</p>
        <h1>${community.name}</h1>
        <p class="faint">${memberWords(community.member_count)}</p>
        ${community.description && html`<p>${community.description}</p>`}
        ${session.value
          ? html`<${Button} kind="primary" onClick=${() => showDialog(JoinDialog, { community, invite: code })}>Join ${community.name}<//>`
          : html`<a class="button primary" href=${`/register?next=${here}`}>Create an account to join</a><a class="button quiet" href=${`/login?next=${here}`}>I have an account</a>`}`}
    </div>
  </main>`;
}
