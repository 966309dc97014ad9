package control

import (
	"iter"
	"net/http"
)

// For fuzzing and virtual time, without a socket.
var (
	ParseQuery      = parseQuery
	DescribedModule = describedModule
	NewServer       = newServer
	NewClient       = newClient
)

func (q *Query) Encode() string { return q.values().Encode() }

func Handler(h Host) http.Handler { return handler(h) }

// Routes are the method and the path of everything that can be asked.
func Routes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, r := range routes {
			if !yield(r.method + " " + r.path) {
				return
			}
		}
	}
}

// Forms are all objects of JSON that are sent or answered.
var Forms = []any{
	Status{}, Pipeline{}, PluginState{}, Kept{}, Journal{}, DeadLetter{}, Filter{}, problem{}, count{}, done{},
	Plugin{}, Version{}, Rollout{}, Trial{}, Measures{}, Difference{}, Started{}, Reloaded{},
	rollbackForm{}, resumeForm{}, rateLimit{},
}
