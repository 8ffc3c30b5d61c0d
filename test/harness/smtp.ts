import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A mail as it came in. */
export interface ReceivedMail {
  from: string;
  to: string[];
  /** Headers and body as sent. */
  raw: string;
  /** The plain text, decoded. */
  text: string;
  subject: string;
}

export interface SmtpServer {
  port: number;
  mails: ReceivedMail[];
  /** What clients logged in with, decoded. */
  logins: string[];
  /** The next mail that comes, or one that has come since the last call. */
  next(): Promise<ReceivedMail>;
  /** Refuse recipients from now on, or no longer. */
  refuse(isRefusing: boolean): void;
  close(): Promise<void>;
}

/** Undoes quoted-printable and `=?UTF-8?Q?…?=`. */
function decoded(text: string): string {
  const bytes = text
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function parse(from: string, to: string[], raw: string): ReceivedMail {
  const plain = /Content-Type: text\/plain[^]*?\r\n\r\n([^]*?)(?:\r\n----|$)/.exec(raw)?.[1] ?? '';
  const subject = /^Subject: (.*(?:\r\n .*)*)/m.exec(raw)?.[1] ?? '';
  return { from, to, raw, text: decoded(plain), subject: subject.replaceAll('\r\n ', ' ') };
}

/** A mail server that speaks as much SMTP (RFC 5321) as a client needs, and AUTH PLAIN. */
export async function startSmtpServer(): Promise<SmtpServer> {
  const mails: ReceivedMail[] = [];
  const logins: string[] = [];
  const waiting: ((mail: ReceivedMail) => void)[] = [];
  const sockets = new Set<Socket>();
  let read = 0;
  let isRefusing = false;

  function arrived(mail: ReceivedMail): void {
    mails.push(mail);
    const waiter = waiting.shift();
    if (!waiter) return;
    read++;
    waiter(mail);
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.setEncoding('utf8');
    let [buffer, from, isData] = ['', '', false];
    let to: string[] = [];
    const say = (line: string) => socket.write(`${line}\r\n`);

    function command(line: string): void {
      const verb = line.slice(0, 4).toUpperCase();
      const address = /<([^>]*)>/.exec(line)?.[1] ?? '';
      if (verb === 'EHLO') say('250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN');
      else if (verb === 'AUTH') {
        logins.push(Buffer.from(line.split(' ')[2] ?? '', 'base64').toString());
        say('235 ok');
      } else if (verb === 'RCPT' && isRefusing) say('550 no such user');
      else if (verb === 'DATA') {
        isData = true;
        say('354 go on');
      } else if (verb === 'QUIT') socket.end('221 bye\r\n');
      else {
        if (verb === 'MAIL') [from, to] = [address, []];
        if (verb === 'RCPT') to.push(address);
        say('250 ok');
      }
    }

    socket.on('data', (chunk: string) => {
      buffer += chunk;
      for (;;) {
        const end = buffer.indexOf(isData ? '\r\n.\r\n' : '\r\n');
        if (end === -1) return;
        const piece = buffer.slice(0, end);
        buffer = buffer.slice(end + (isData ? 5 : 2));
        if (!isData) command(piece);
        else {
          isData = false;
          arrived(parse(from, to, piece.replaceAll('\r\n..', '\r\n.')));
          say('250 taken');
        }
      }
    });
    say('220 test');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    logins,
    next() {
      const mail = mails[read];
      if (!mail) return new Promise((resolve) => waiting.push(resolve));
      read++;
      return Promise.resolve(mail);
    },
    refuse: (value) => void (isRefusing = value),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
