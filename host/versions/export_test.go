package versions

// ParseIndex reads an index, and returns how it is written.
func ParseIndex(text []byte) ([]byte, error) {
	x, err := parseIndex(text)
	if err != nil {
		return nil, err
	}
	return x.encode()
}
