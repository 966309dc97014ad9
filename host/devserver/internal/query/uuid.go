package query

import (
	"fmt"

	"github.com/google/uuid"
)

func canonicalUUID(text string) (string, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%q is not a UUID", text)
	}
	return id.String(), nil
}
