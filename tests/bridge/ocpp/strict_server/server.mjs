// A central system on ocpp-rpc in strict mode. Tells on stdout, one JSON object a line, what it hears; on stdin it takes
// {"method", "params"} and calls the charge point. USER and KEY of the environment are asked for, if given.
import { createInterface } from 'node:readline';
import { RPCServer } from 'ocpp-rpc';

const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const now = () => new Date().toISOString();
const accepted = { status: 'Accepted' };
const answers = {
  BootNotification: () => ({ status: 'Accepted', interval: 300, currentTime: now() }),
  Heartbeat: () => ({ currentTime: now() }),
  Authorize: (params) => (params.idToken ? { idTokenInfo: accepted } : { idTagInfo: accepted }),
  StartTransaction: () => ({ transactionId: 1, idTagInfo: accepted }),
  StopTransaction: () => ({}),
  StatusNotification: () => ({}),
  MeterValues: () => ({}),
  TransactionEvent: () => ({}),
  NotifyReport: () => ({}),
};

const server = new RPCServer({ protocols: ['ocpp1.6', 'ocpp2.0.1'], strictMode: true, pingIntervalMs: 1000 });
server.auth((accept, reject, handshake) => {
  const key = process.env.KEY;
  if (key && handshake.password?.toString() !== key) reject(401);
  else accept({});
});
let client = null;
server.on('client', (connected) => {
  client = connected;
  tell({ connected: connected.identity, protocol: connected.protocol });
  connected.on('strictValidationFailure', (event) => tell({ wrong: String(event.error), method: event.method }));
  connected.on('badMessage', (event) => tell({ wrong: `bad message: ${event.error}` }));
  connected.on('close', () => tell({ closed: true }));
  for (const [method, answer] of Object.entries(answers)) {
    connected.handle(method, ({ params }) => {
      tell({ method, params });
      return answer(params);
    });
  }
});
const http = await server.listen(0, '127.0.0.1');
tell({ port: http.address().port });

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { method, params } = JSON.parse(line);
  try {
    tell({ answered: method, result: await client.call(method, params) });
  } catch (error) {
    tell({ answered: method, error: error.rpcErrorCode ?? String(error) });
  }
});
