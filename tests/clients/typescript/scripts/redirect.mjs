// Loaded before an example: its Oxide is at localhost:8000, that of the test elsewhere.
import net from 'node:net';

const port = Number(process.env.OXIDE_PORT);
const { connect } = net.Socket.prototype;

net.Socket.prototype.connect = function (...given) {
  const options = Array.isArray(given[0]) ? given[0][0] : given[0];
  if (Number(options.port) === 8000) Object.assign(options, { port, host: '127.0.0.1' });
  return connect.apply(this, given);
};
