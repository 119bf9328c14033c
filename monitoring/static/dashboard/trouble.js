// What went wrong, at the place that each page has for it, or another.

import { loginAddress } from './api.js';
import { element, find, say, show } from './dom.js';

export function complain(error, place = find('trouble')) {
  say(place, error.message);
  if (error.status === 401) place.append(' ', element('a', { href: loginAddress() }, 'Log in'));
  show(place, true);
}

export const calm = () => show(find('trouble'), false);
