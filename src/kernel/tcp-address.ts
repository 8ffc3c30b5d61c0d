/** `host:port`, with brackets around the host where it is an IPv6 address. */
export const tcpAddress = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
