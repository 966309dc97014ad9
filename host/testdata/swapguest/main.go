// Command swapguest is a plugin of the size that Go's have, for the measurements
// of swaps: 3 MB, with what such plugins import.
package main

import (
	"encoding/json"
	"regexp"
	"strings"

	relay "github.com/relayhost/relayhost/pdk/go"
)

var word = regexp.MustCompile(`\pL+`)

type person struct {
	Name string `json:"name"`
}

func init() {
	relay.HandleMessage(func(m *relay.Message) error {
		var p person
		if err := json.Unmarshal(m.Data(), &p); err != nil {
			return err
		}
		m.SetData([]byte(strings.ToUpper(word.FindString(p.Name))))
		return nil
	})
	relay.HandleBatch(func(b *relay.Batch) error {
		b.Emit([]byte("done"))
		return nil
	})
}

func main() {}
