package eventrelay

// DecodePage is for the fuzz test.
func DecodePage(raw []byte, n int) (events int, total int64, err error) {
	p, err := decodePage(raw, n)
	return len(p.messages), p.total, err
}
