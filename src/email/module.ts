import type { Transporter } from 'nodemailer';
import { MatrixError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Templates } from '../templates/module.ts';
import type { SmtpConfig } from './config.ts';
import { createTurns, TooLate } from './turns.ts';

export type { SmtpConfig } from './config.ts';

export interface EmailNeeds {
  /** Null: no mail is sent. */
  config: SmtpConfig | null;
  serverName: string;
  templates: Templates;
  log: Log;
  metrics: Metrics;
  /** Until the mail server has taken a mail, and before that until it is the mail's turn; in ms. */
  sendMsMax?: number;
}

/** A mail of a template: `<template>.txt` and `<template>.html`. */
export interface Mail {
  to: string;
  /** With `%(name)s` for values. */
  subject: string;
  template: string;
  /** `app_name` and `server_name` are there anyway. */
  values: Readonly<Record<string, unknown>>;
  /** Further headers, such as `List-Unsubscribe`. */
  headers?: Readonly<Record<string, string>>;
}

/** Mail to users. */
export interface Email {
  readonly isEnabled: boolean;
  /** Resolves when the mail server has taken it. Rejects with `MailFailed`. */
  send(mail: Mail): Promise<void>;
  close(): void;
}

/** The mail server could not be reached, or did not take the mail. */
export class MailFailed extends MatrixError {
  constructor(cause: unknown) {
    super('M_UNKNOWN', 'An error was encountered when sending the email', { status: 500, cause });
    this.name = 'MailFailed';
  }
}

/** How long a mail server may take for an answer: people wait for it. */
const answerMsMax = 20_000;
/** The same for a mail as a whole; it may wait so long for others before. */
const defaultSendMsMax = 30_000;
/** Mails sent at once; others wait. */
const connectionsMax = 3;
const waitingMax = 100;

async function connect(config: SmtpConfig): Promise<Transporter> {
  const { host, port, login, tls, tlsName } = config;
  // Loaded when there is a mail to send: most servers send few.
  const { createTransport } = await import('nodemailer');
  return createTransport({
    pool: true,
    maxConnections: connectionsMax,
    host,
    port,
    secure: tls === 'always',
    requireTLS: tls === 'required',
    ignoreTLS: tls === 'never',
    ...(login ? { auth: { user: login.user, pass: login.password } } : {}),
    tls: { servername: tlsName },
    connectionTimeout: answerMsMax,
    greetingTimeout: answerMsMax,
    socketTimeout: answerMsMax,
    // Templates are ours and the admin's, their values are not: nothing is fetched for a mail.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

const filledIn = (subject: string, values: Readonly<Record<string, unknown>>): string =>
  subject.replaceAll(/%\((\w+)\)s/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : whole,
  );

/** What Synapse calls mails of a template in its metrics, where it is another name. */
const metricTypes: Readonly<Record<string, string>> = { notif_mail: 'notification' };

export function createEmail(needs: EmailNeeds): Email {
  const { config, serverName, templates, log, metrics, sendMsMax = defaultSendMsMax } = needs;
  const turns = createTurns({ atOnce: connectionsMax, waitingMax, msMax: sendMsMax });
  const sent = metrics.counter('synapse_emails_sent_total', 'Mails that were sent', ['type']);
  let transport: Promise<Transporter> | null = null;

  function disconnect(): void {
    void transport?.then((open) => open.close());
    transport = null;
  }

  return {
    isEnabled: config !== null,
    async send({ to, subject, template, values, headers }) {
      if (!config) throw new MailFailed('no mail server is configured');
      const all = { app_name: config.appName, server_name: serverName, ...values };
      const [text, html] = await Promise.all([
        templates.render(`${template}.txt`, all),
        templates.render(`${template}.html`, all),
      ]);
      transport ??= connect(config);
      try {
        const open = await transport;
        const message = {
          from: config.from,
          to: { name: '', address: to },
          subject: filledIn(subject, { app: config.appName, ...all }),
          text,
          html,
          // RFC 3834: nobody's holiday notice is to answer.
          headers: {
            'Auto-Submitted': 'auto-generated',
            'X-Auto-Response-Suppress': 'OOF',
            ...headers,
          },
        };
        await turns.take(() => open.sendMail(message));
        sent.labels(metricTypes[template] ?? template).inc();
      } catch (error) {
        // Its connections may be busy for ever.
        if (error instanceof TooLate) disconnect();
        log.warn({ err: error, template }, 'a mail could not be sent');
        throw new MailFailed(error);
      }
    },
    close: disconnect,
  };
}
