// What is missing on the first day, and the one thing to do next, as the server and the admin's front page have it.

import { may } from './api.js';
import { element, show } from './dom.js';

// `services` and `step` as GET /api/services/ has them; there is no step once a service is ready.
export function help(place, services, step) {
  show(place, step !== null);
  if (!step) return;
  const missing = Object.entries(services).filter(([name, service]) => service.enabled && service.obstacle && name !== step.service)
    .map(([name, { obstacle }]) => `${name} ${obstacle}${obstacle.endsWith('.') ? '' : '.'}`);
  const told = JSON.stringify([step, missing]);
  if (place.dataset.told === told) return;
  place.dataset.told = told;
  place.replaceChildren(
    element('h2', { id: 'help-title' }, step.title),
    element('p', {}, element('strong', {}, 'Do this next: '), step.text, ' ', ...whereOf(step)),
    step.command ? element('pre', { class: 'command', tabindex: '0' }, step.command) : '',
    missing.length ? element('ul', {}, ...missing.map((text) => element('li', {}, text))) : '',
    element('p', { class: 'note' }, 'Until then ', element('a', { href: '/try?service=echo' }, 'try Oxide with echo'),
      ', which answers with the prompt and needs no provider.'),
  );
}

function whereOf({ page, action }) {
  if (!page) return [];
  return [may('admin') ? element('a', { href: page }, action) : 'An administrator does it in the admin pages.'];
}
