package control

import "net/http"

// For fuzzing and virtual time, without a socket.
var (
	ParseQuery = parseQuery
	NewServer  = newServer
	NewClient  = newClient
)

func (q *Query) Encode() string { return q.values().Encode() }

func Handler(h Host) http.Handler { return handler(h) }
