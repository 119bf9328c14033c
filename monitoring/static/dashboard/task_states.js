// The states of a task and the bases of its cost, in the same words and looks on every page.

const KINDS = { queued: 'idle', running: 'busy', completed: 'good', failed: 'bad', cancelled: 'idle' };

export const kindOf = (status) => KINDS[status] ?? 'idle';

export const isOpen = (status) => status === 'queued' || status === 'running';

export const BASES = {
  reported: 'the provider named the cost',
  computed: 'the provider counted the tokens, at a known price',
  estimated: 'Oxide counted the tokens, at a known price',
  unknown: 'no price is known',
};
