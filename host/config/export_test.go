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
