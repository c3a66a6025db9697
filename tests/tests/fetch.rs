//! Files over a network, from servers on loopback that do what they should not.

#[path = "fetch/clients.rs"]
mod clients;
#[path = "fetch/credentials.rs"]
mod credentials;
#[path = "fetch/hostile.rs"]
mod hostile;
#[path = "fetch/place.rs"]
mod place;
#[path = "fetch/resuming.rs"]
mod resuming;
#[path = "fetch/secured.rs"]
mod secured;
