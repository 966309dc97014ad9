// Package devserver is an EventRelay-compatible server that runs inside the
// process: real gRPC, optionally TLS, in memory or kept on disk. It is what
// `relayhost demo` and `relayhost eventrelay` run and what tests pull from.
// Start with [New] and [Server.Run]; [Server.CreateTopic],
// [Server.CreateDestination], [Server.CreateConsumerKey] and
// [Server.CreateProducerKey] set it up without the wire.
//
//	s, err := devserver.New(devserver.Options{})
//	go s.Run(ctx)
//	s.CreateTopic("users")
//	id, err := s.CreateDestination(devserver.Destination{Name: "host", Topic: "users"})
//	token, err := s.CreateConsumerKey(id)
//
// # What is copied from the real server
//
// Codes, messages, counts and orders are EventRelay's, its oddities included:
//
//   - PullQueuedEvents locks what it returns for that destination for ever, even
//     if the reply never arrives. UnLockQueuedEvents answers Unimplemented,
//     unless [Options].Unlock is set.
//   - A batch of 0 is 100; a queue's batch is cut to 100,000; a log's batch over
//     1000 becomes 100; a negative batch or offset is an internal error.
//   - PullEvents' offset is a row index, and its next_offset is 0 at the end. A
//     query that does not parse is ignored and everything is returned; one that
//     names an unknown field, or compares it with a value of another type, is an
//     internal error. `and` and `or` have the same precedence and are taken from
//     left to right.
//   - PublishEvents answers in reverse order. One bad event fails the whole call,
//     and yet the good ones are stored. An event that is not durable is not
//     stored. Times are cut to seconds.
//   - Faults without a code of their own are Unknown, "Internal Server Error".
//   - A consumer key may pull every destination, and read every log, whose topic
//     one of its own destinations is on.
//
// # What is not copied
//
// The real server caches keys by name for an hour; here a wrong secret and a
// revoked key are refused at once. The Destinations service answers as the
// contract says. Only CreateApiKey's answer has a secret in it. Reflection is
// on, and needs no key.
//
// # Faults
//
// With [Options].Faults or [Server.SetFaults] the server fails as the real one was
// seen to, by chance or the next so many times: a [Fault] says how.
//
// # Data directory
//
// With [Options].DataDir every change is in a bbolt file and synced before it
// is answered: an acknowledged publish and a lock survive a crash. The file
// holds the keys' secrets and is readable by its owner only. One process can
// have it open.
package devserver
