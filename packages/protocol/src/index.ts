/** Wire types and state tables that the server, the SDK and the console share. No I/O, no dependencies. */
export {}
