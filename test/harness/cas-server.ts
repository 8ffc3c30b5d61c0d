import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A CAS server that a test plays. Whoever comes is the user that is set. */
export interface TestCasServer {
  url: string;
  user: string;
  /** Attribute → values. */
  attributes: Record<string, string[]>;
  /** Paths of what was asked about tickets. */
  asked: string[];
  close(): void;
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

export async function startCasServer(): Promise<TestCasServer> {
  /** Ticket → service; good once. */
  const tickets = new Map<string, string>();
  let count = 0;

  function validate(query: URLSearchParams): string {
    const service = tickets.get(query.get('ticket') ?? '');
    tickets.delete(query.get('ticket') ?? '');
    if (service === undefined || service !== query.get('service')) {
      return '<cas:authenticationFailure code="INVALID_TICKET">no</cas:authenticationFailure>';
    }
    const attributes = Object.entries(cas.attributes).flatMap(([name, values]) =>
      values.map((value) => `<cas:${name}>${escaped(value)}</cas:${name}>`),
    );
    return `<cas:authenticationSuccess><cas:user>${escaped(cas.user)}</cas:user>
      <cas:attributes>${attributes.join('')}</cas:attributes></cas:authenticationSuccess>`;
  }

  const server = createServer((req, res) => {
    const url = new URL(req.url!, cas.url);
    if (url.pathname === '/cas/login') {
      const service = url.searchParams.get('service')!;
      const ticket = `ST-${++count}`;
      tickets.set(ticket, service);
      const back = new URL(service);
      back.searchParams.set('ticket', ticket);
      res.writeHead(302, { Location: back.href }).end();
      return;
    }
    cas.asked.push(url.pathname);
    res.writeHead(200, { 'Content-Type': 'application/xml' });
    res.end(
      `<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">${validate(url.searchParams)}</cas:serviceResponse>`,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cas: TestCasServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    user: '',
    attributes: {},
    asked: [],
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return cas;
}
