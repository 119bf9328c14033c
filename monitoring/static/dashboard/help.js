// What is missing on the first day, and the one thing to do next.

import { element, show } from './dom.js';
import { plural } from './format.js';

export function help(place, services) {
  const advice = adviceFor(services);
  show(place, advice !== null);
  const told = advice ? JSON.stringify([advice.title, advice.missing, advice.step, advice.command]) : '';
  if (!advice || place.dataset.told === told) return;
  place.dataset.told = told;
  place.replaceChildren(
    element('h2', { id: 'help-title' }, advice.title),
    element('ul', {}, ...advice.missing.map((text) => element('li', {}, text))),
    element('p', {}, element('strong', {}, 'Do this next: '), advice.step),
    advice.command ? element('pre', { class: 'command', tabindex: '0' }, advice.command) : null,
    element('p', { class: 'note' }, 'Until then ', element('a', { href: '/try?service=echo' }, 'try Oxide with echo'),
      ', which answers with the prompt and needs no provider.'),
  );
}

// `services` as GET /api/services/ has them. Null where a model can be asked, or nothing is known yet.
function adviceFor(services) {
  const named = Object.entries(services).filter(([, service]) => service.info.type !== 'builtin');
  const enabled = named.filter(([, service]) => service.enabled);
  if (enabled.some(([, service]) => !service.obstacle)) return null; // well, or not looked at yet
  if (enabled.length === 0) {
    return {
      title: 'There is no model to ask yet',
      missing: [named.length ? `${plural(named.length, 'service')} declared, all switched off.` : 'No service with a model is declared.'],
      step: 'declare one in config/default.yaml, or switch one on in the admin pages, and have the file read again:',
      command: 'python manage.py reload',
    };
  }
  return { title: 'No model can be asked yet', missing: enabled.map(missing), ...nextStep(enabled) };
}

const missing = ([name, service]) => `${name} ${service.obstacle}${service.obstacle.endsWith('.') ? '' : '.'}`;

const wantsKey = ([, service]) => service.obstacle.startsWith('has no API key');

function nextStep(services) {
  const local = services.find(([, service]) => service.info.api === 'ollama' && !wantsKey(['', service]));
  if (local) {
    return {
      step: `start Ollama with the model that ${local[0]} asks for. Oxide sees it within half a minute.`,
      command: `ollama run ${local[1].info.model || 'llama2'}`,
    };
  }
  const keyless = services.find(wantsKey);
  if (keyless) {
    const variable = keyless[1].obstacle.match(/set ([A-Z][A-Z0-9_]*)/)?.[1];
    return {
      step: `give Oxide the key for ${keyless[0]}, and restart it:`,
      command: variable ? `export ${variable}=…` : null,
    };
  }
  const [name, service] = services[0];
  return { step: `see to it that ${name} answers at ${service.info.base_url || 'its address'}.`, command: null };
}
