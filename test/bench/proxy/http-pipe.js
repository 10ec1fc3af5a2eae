/** The floor over HTTP: one more Node process that forwards bytes and headers and looks at nothing. `node http-pipe.js UPSTREAM_PORT PORT` */
import { Agent, createServer, request } from 'node:http';
import process from 'node:process';

const [upstream, port] = process.argv.slice(-2).map(Number);
const agent = new Agent({ keepAlive: true });
createServer((incoming, outgoing) => {
  const { method, url, headers } = incoming;
  const onward = request({ agent, host: '127.0.0.1', port: upstream, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  incoming.pipe(onward);
}).listen(port, '127.0.0.1');
