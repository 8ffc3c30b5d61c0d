/** How mail is sent; option names of the section `email` in brackets. */
export interface SmtpConfig {
  /** [smtp_host] */
  host: string;
  /** [smtp_port] */
  port: number;
  /** [smtp_user], [smtp_pass] */
  login: { user: string; password: string } | null;
  /** [force_tls], [require_transport_security], [enable_tls] */
  tls: 'always' | 'required' | 'offered' | 'never';
  /** [tlsname] */
  tlsName: string;
  /** [notif_from] */
  from: string;
  /** [app_name] */
  appName: string;
}
