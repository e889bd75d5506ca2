/** Three servers that hear each other over the database's own notify. */
import { describeNodes, SOAK } from './suite.ts'

describeNodes('postgres')
if (SOAK) describeNodes('postgres', 'outbox')
