package message

// shortDigest is how much of a digest tells one version from another.
const shortDigest = 12

// ShortDigest is a plugin version's digest as logs and metrics have it: its first
// 12 digits, "-" for none.
func ShortDigest(digest string) string {
	if digest == "" {
		return "-"
	}
	return digest[:min(shortDigest, len(digest))]
}
