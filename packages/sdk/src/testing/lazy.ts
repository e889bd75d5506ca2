/** For tests that run from the sources: what a phone loads when it is first used. */
import { lazy } from '../core/lazy.ts'
import * as extras from '../extras.ts'
import * as files from '../files.ts'
import * as realtime from '../realtime.ts'

lazy._extras = () => extras
lazy._files = () => files
lazy._realtime = () => realtime
