// Command jsonguest takes a field out of its event as the event's name says:
// not at all, by the kit's scanner, or by encoding/json.
package main

import (
	"encoding/json"

	relay "github.com/relayhost/relayhost/pdk/go"
)

// main registers the handler, as an init may as well.
func main() {
	relay.HandleMessage(func(m *relay.Message) error {
		name, err := field(m)
		m.SetData([]byte(name))
		return err
	})
}

func field(m *relay.Message) (string, error) {
	switch m.Name() {
	case "nothing":
		return "Bill", nil
	case "scanner":
		return relay.JSON(m.Data()).Get("person", "first_name").Text()
	}
	var event struct {
		Person struct {
			FirstName string `json:"first_name"`
		} `json:"person"`
	}
	err := json.Unmarshal(m.Data(), &event)
	return event.Person.FirstName, err
}
