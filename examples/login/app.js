// Nothing is kept here: who is logged in is known to lib/account.
App({})
