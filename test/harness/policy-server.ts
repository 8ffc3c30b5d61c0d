import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createTestCertificate } from '../../src/http/test-certificate.ts';
import { signableText } from '../../src/matrix/event-format.ts';
import type { JsonObject, Pdu } from '../../src/matrix/pdu.ts';
import { roomVersion } from '../../src/matrix/room-versions.ts';
import { generateSigningKeyLine, parseSigningKey } from '../../src/matrix/signing.ts';

/** A status and a body. */
type Verdict = [status: number, body: JsonObject];

/** A question of a homeserver, as it came. */
export interface SignRequest {
  authorization: string;
  host: string;
  pdu: Pdu;
}

/** A policy server over TLS on loopback (server-server API, `POST /_matrix/policy/v1/sign`). */
export interface PolicyServer {
  /** `localhost:<port>` */
  name: string;
  /** PEM of the authority to believe. */
  certificate: string;
  /** Content of `m.room.policy` that names it. */
  policy: JsonObject;
  /** All that it was asked. */
  asked: SignRequest[];
  /** What it answers; by default it signs. `sign` makes the good answer. */
  judge(pdu: Pdu, sign: (pdu: Pdu) => Verdict): Verdict | Promise<Verdict>;
  /** Goes away, and comes back under the same name. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startPolicyServer(version: string): Promise<PolicyServer> {
  const { certificate, key } = createTestCertificate();
  const signingKey = parseSigningKey(generateSigningKeyLine('policy_server'));
  const asked: SignRequest[] = [];

  const sign = (pdu: Pdu): Verdict => {
    const signature = signingKey.sign(signableText(roomVersion(version), pdu));
    return [200, { [policyServer.name]: { [signingKey.id]: signature } }];
  };
  const server = createServer({ cert: certificate, key }, (req, res) => {
    const reply = async (body: string) => {
      const { authorization = '', host = '' } = req.headers;
      let verdict: Verdict = [404, { errcode: 'M_UNRECOGNIZED', error: 'Unrecognized request' }];
      if (req.method === 'POST' && req.url === '/_matrix/policy/v1/sign') {
        const pdu = JSON.parse(body) as Pdu;
        asked.push({ authorization, host, pdu });
        verdict = await policyServer.judge(pdu, sign);
      }
      res.writeHead(verdict[0], { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(verdict[1]));
    };
    void text(req).then(reply);
  });
  let port = 0;
  const policyServer: PolicyServer = {
    name: '',
    certificate,
    policy: {},
    asked,
    judge: (pdu) => sign(pdu),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    async start() {
      server.listen(port, 'localhost');
      await once(server, 'listening');
    },
  };
  await policyServer.start();
  ({ port } = server.address() as AddressInfo);
  policyServer.name = `localhost:${port}`;
  policyServer.policy = {
    via: policyServer.name,
    public_keys: { ed25519: signingKey.publicKey },
  };
  return policyServer;
}
