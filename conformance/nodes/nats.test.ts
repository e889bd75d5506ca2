/** Three servers that hear each other over a real NATS server. */
import { describeNodes } from './suite.ts'

describeNodes('nats')
