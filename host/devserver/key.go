package devserver

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

const (
	typeProducer = "producer"
	typeConsumer = "consumer"
	typeAdmin    = "admin"
)

// apiKey is who may call. All but the two maps and Revoked is fixed; those are
// guarded by state.mu. The exported fields are what the disk keeps.
type apiKey struct {
	ID           string
	Name         string
	Key          string
	Secret       string
	Type         string
	GroupKey     string
	TLSHostname  string
	Created      uint64
	Revoked      bool
	Topics       map[string]bool // by name, of a producer
	Destinations map[string]bool // by id, of a consumer
}

func newKey(kind string) *apiKey {
	return &apiKey{
		ID: uuid.NewString(), Key: rand.Text(), Secret: rand.Text() + rand.Text(), Type: kind,
		Topics: map[string]bool{}, Destinations: map[string]bool{},
	}
}

func (k *apiKey) token() string {
	return base64.StdEncoding.EncodeToString([]byte(k.Key + ":" + k.Secret))
}

// accepts compares in a time that does not depend on the secret.
func (k *apiKey) accepts(secret string) bool {
	got, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(k.Secret))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && !k.Revoked
}

// proto leaves the secret out.
func (k *apiKey) proto() *pb.ApiKey {
	p := &pb.ApiKey{Id: k.ID, Name: k.Name, Key: k.Key, GroupKey: k.GroupKey, TlsHostname: k.TLSHostname}
	if k.Revoked {
		p.Status = pb.ApiKeyStatus_REVOKED
	}
	if k.Type == typeConsumer {
		p.Type = pb.ApiKeyType_CONSUMER
	}
	return p
}

func (s *state) createKey(r *pb.CreateApiKeyRequest) (*apiKey, error) {
	kind := typeProducer
	switch r.GetType() {
	case pb.ApiKeyType_PRODUCER:
	case pb.ApiKeyType_CONSUMER:
		kind = typeConsumer
	default:
		return nil, invalid("Type is invalid")
	}
	k := newKey(kind)
	k.Name, k.GroupKey, k.TLSHostname = r.GetName(), r.GetGroupKey(), r.GetTlsHostname()
	s.mu.Lock()
	defer s.mu.Unlock()
	return k, s.addKey(k)
}

// addKey wants s.mu held.
func (s *state) addKey(k *apiKey) error {
	k.Created = s.nextCreated()
	if err := s.disk.put(keysBucket, k.ID, k); err != nil {
		return err
	}
	s.keysByKey[k.Key], s.keysByID[k.ID] = k, k
	return nil
}

func (s *state) revokeKey(id string) (*pb.ApiKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.key(id)
	if err != nil {
		return nil, err
	}
	if k.Revoked {
		return nil, status.Error(codes.FailedPrecondition, "ApiKey is already revoked")
	}
	k.Revoked = true
	if err := s.disk.put(keysBucket, k.ID, k); err != nil {
		k.Revoked = false
		return nil, err
	}
	return k.proto(), nil
}

// key finds a key that can be changed over the wire: the administrator's own
// cannot. It wants s.mu held.
func (s *state) key(id string) (*apiKey, error) {
	k := s.keysByID[id]
	if k == nil || k.Type == typeAdmin {
		return nil, status.Error(codes.NotFound, "ApiKey not found")
	}
	return k, nil
}
