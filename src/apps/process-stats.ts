/** Figures of a process for people. */
export interface ProcessStats {
  /** Requests answered in a second. */
  requests: number;
  /** Per cent of a processor core. */
  cpu: number;
  /** Megabytes in memory. */
  memory: number;
  /** Positions drawn that have not reached this process. */
  lag: number;
}

const megabyte = 1024 * 1024;

/** Figures since they were last read. */
export function createProcessStats(answered: () => number, lag: () => number) {
  let beforeMs = performance.now();
  let before = process.cpuUsage();
  let requestsBefore = 0;
  return {
    read(): ProcessStats {
      const nowMs = performance.now();
      const seconds = Math.max((nowMs - beforeMs) / 1000, 0.001);
      const used = process.cpuUsage(before);
      const requests = answered();
      const stats = {
        requests: Math.round((requests - requestsBefore) / seconds),
        cpu: Math.round((used.user + used.system) / 10_000 / seconds),
        memory: Math.round(process.memoryUsage.rss() / megabyte),
        lag: lag(),
      };
      beforeMs = nowMs;
      before = process.cpuUsage();
      requestsBefore = requests;
      return stats;
    },
  };
}
