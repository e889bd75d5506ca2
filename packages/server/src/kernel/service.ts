/** The shape of everything that lives as long as the app does. */

export interface Service {
  /** Starts the work and resolves once it is ready; rejects when it cannot start. */
  start(): Promise<void>
  /** Ends the work and resolves once nothing of it is left. Safe to call twice. */
  stop(): Promise<void>
}
