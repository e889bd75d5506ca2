// The client that lib/supabase names. Both files export the same functions; pages never know which one it is.
import { flavour } from './supabase'

export const backend = flavour === 'stable' ? require('./backend-stable') : require('./backend-official')
