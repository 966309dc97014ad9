package config

// Outline, Scan and Decode let the fuzz test hold the scanner against the
// library.
type Outline = outline

var (
	Scan   = scan
	Decode = decode
)

// Line is the line of a place.
func (o *outline) Line() int { return o.line }

// Fields are a table's places.
func (o *outline) Fields() map[string]*outline { return o.fields }

// Items are an array's places.
func (o *outline) Items() []*outline { return o.items }

// KeyNames is every key that is no table with a free name.
func KeyNames() (all []string) {
	var walk func([]key)
	walk = func(keys []key) {
		for _, k := range keys {
			all = append(all, k.name)
			walk(k.kind.keys)
		}
	}
	walk(configKeys(&Config{}))
	return all
}
