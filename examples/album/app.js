// Nothing is kept here: who is logged in is known to the clients, what is being uploaded to lib/uploads.
App({})
