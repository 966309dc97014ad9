package control

import "net/http"

// For fuzzing, without a socket.
var ParseQuery = parseQuery

func (q *Query) Encode() string { return q.values().Encode() }

func Handler(h Host) http.Handler { return handler(h) }
