/** Three servers that hear each other over the database's own notify. */
import { describeNodes } from './suite.ts'

describeNodes('postgres')
