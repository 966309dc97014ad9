package devserver_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

func TestBearerTokens(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	token := b.AdminToken()
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _ := strings.Cut(string(text), ":")
	encode := func(s string) string { return "Bearer " + base64.StdEncoding.EncodeToString([]byte(s)) }
	const notFound = "Invalid credentials: could not find bearer token"
	const notDecoded = "Invalid credentials: could not decode bearer token"
	for _, c := range []struct {
		name, header string
		code         codes.Code
		message      string
	}{
		{"right", "Bearer " + token, codes.OK, ""},
		{"none", "", codes.Unauthenticated, notFound},
		{"no Bearer", token, codes.Unauthenticated, notFound},
		{"another case", "bearer " + token, codes.Unauthenticated, notFound},
		{"not base64", "Bearer %%%", codes.Unauthenticated, notDecoded},
		{"nothing", "Bearer ", codes.Unauthenticated, notDecoded},
		{"no colon", encode("abc"), codes.Unauthenticated, notDecoded},
		{"two colons", encode("a:b:c"), codes.Unauthenticated, notDecoded},
		{"unknown", encode("abc:def"), codes.Unauthenticated, "Invalid credentials"},
		{"wrong secret", encode(key + ":def"), codes.Unauthenticated, "Invalid credentials"},
		{"no secret", encode(key + ":"), codes.Unauthenticated, "Invalid credentials"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			if c.header != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.header)
			}
			_, err := b.topics.ListTopics(ctx, &pb.ListTopicsRequest{})
			wantStatus(t, err, c.code, c.message)
		})
	}
}

func TestWhatKeysMayDo(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	queue := b.topicAndQueue(t, "users")
	foreign := b.topicAndQueue(t, "orders")
	sibling := must(t)(b.CreateDestination(devserver.Destination{Name: "sibling", Topic: "users"}))
	producer, producerID := newKey(t, b, pb.ApiKeyType_PRODUCER)
	consumer, consumerID := newKey(t, b, pb.ApiKeyType_CONSUMER)
	if _, err := b.keys.AddTopicsToApiKey(b.admin(t), &pb.AddTopicsToApiKeyRequest{Id: producerID, TopicNames: []string{"users"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.keys.AddDestinationsToApiKey(b.admin(t), &pb.AddDestinationsToApiKeyRequest{Id: consumerID, DestinationIds: []string{queue}}); err != nil {
		t.Fatal(err)
	}

	publish := func(topic string) call {
		return func(ctx context.Context) error {
			_, err := b.events.PublishEvents(ctx, &pb.PublishEventsRequest{Topic: topic, Durable: true, Events: []*pb.NewEvent{event(1)}})
			return err
		}
	}
	pull := func(id string) call {
		return func(ctx context.Context) error {
			_, err := b.events.PullQueuedEvents(ctx, &pb.PullQueuedEventsRequest{DestinationId: id})
			return err
		}
	}
	read := func(topic string) call {
		return func(ctx context.Context) error {
			_, err := b.events.PullEvents(ctx, &pb.PullEventsRequest{Topic: topic})
			return err
		}
	}
	const denied, notPermitted = codes.PermissionDenied, "Not permitted"
	for _, c := range []struct {
		name    string
		token   string
		call    call
		code    codes.Code
		message string
	}{
		{"producer publishes", producer, publish("users"), codes.OK, ""},
		{"producer publishes to an identifier", producer, publish("users:7"), codes.OK, ""},
		{"producer publishes to another topic", producer, publish("orders"), denied,
			fmt.Sprintf("ApiKey with id=%s is not associated with topic_name=orders", producerID)},
		{"producer pulls", producer, pull(queue), denied, notPermitted},
		{"producer pulls from nowhere", producer, pull("x"), denied, notPermitted},
		{"producer reads", producer, read("users"), denied, notPermitted},
		{"consumer publishes", consumer, publish("users"), denied, notPermitted},
		{"consumer pulls", consumer, pull(queue), codes.OK, ""},
		{"consumer pulls from another on its topic", consumer, pull(sibling), codes.OK, ""},
		{"consumer pulls from another topic", consumer, pull(foreign), denied,
			fmt.Sprintf("ApiKey with id=%s is not associated with topic_name=orders via a destination", consumerID)},
		{"consumer pulls from nowhere", consumer, pull("x"), codes.Unknown, "Internal Server Error"},
		{"consumer reads", consumer, read("users"), codes.OK, ""},
		{"consumer reads another topic", consumer, read("orders"), denied,
			fmt.Sprintf("ApiKey with id=%s is not associated with topic_name=orders via a destination", consumerID)},
	} {
		t.Run(c.name, func(t *testing.T) { wantStatus(t, c.call(withToken(t, c.token)), c.code, c.message) })
	}
}

type call func(context.Context) error

// TestOnlyTheAdministratorAdministers calls every method of the services for
// administrators as a consumer and as a producer.
func TestOnlyTheAdministratorAdministers(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	producer, _ := newKey(t, b, pb.ApiKeyType_PRODUCER)
	consumer, _ := newKey(t, b, pb.ApiKeyType_CONSUMER)
	for _, service := range []string{"Topics", "Destinations", "ApiKeys", "Metrics"} {
		methods := pb.File_eventrelay_event_relay_proto.Services().ByName(protoreflect.Name(service)).Methods()
		for i := range methods.Len() {
			m := methods.Get(i)
			for _, token := range []string{producer, consumer} {
				err := b.conn.Invoke(withToken(t, token), "/eventrelay."+service+"/"+string(m.Name()),
					newMessage(t, m.Input()), newMessage(t, m.Output()))
				wantStatus(t, err, codes.PermissionDenied, "Not permitted")
			}
		}
	}
}

func TestRevokedKeysAreRefusedAtOnce(t *testing.T) {
	b, _ := start(t, devserver.Options{})
	b.topicAndQueue(t, "users")
	token, id := newKey(t, b, pb.ApiKeyType_PRODUCER)
	if _, err := b.keys.AddTopicsToApiKey(b.admin(t), &pb.AddTopicsToApiKeyRequest{Id: id, TopicNames: []string{"users"}}); err != nil {
		t.Fatal(err)
	}
	publish := func() error {
		_, err := b.events.PublishEvents(withToken(t, token), &pb.PublishEventsRequest{Topic: "users"})
		return err
	}
	wantStatus(t, publish(), codes.OK, "")
	r, err := b.keys.RevokeApiKey(b.admin(t), &pb.RevokeApiKeyRequest{Id: id})
	if err != nil || r.GetApiKey().GetStatus() != pb.ApiKeyStatus_REVOKED || r.GetApiKey().GetSecret() != "" {
		t.Errorf("got %v, %v", r.GetApiKey().GetStatus(), err)
	}
	wantStatus(t, publish(), codes.Unauthenticated, "Invalid credentials")
	_, err = b.keys.RevokeApiKey(b.admin(t), &pb.RevokeApiKeyRequest{Id: id})
	wantStatus(t, err, codes.FailedPrecondition, "ApiKey is already revoked")
}

func TestAuthOff(t *testing.T) {
	b, _ := start(t, devserver.Options{AuthOff: true})
	if _, err := b.topics.CreateTopic(t.Context(), &pb.CreateTopicRequest{Name: "users"}); err != nil {
		t.Error(err)
	}
	if _, err := b.events.PullEvents(t.Context(), &pb.PullEventsRequest{Topic: "users"}); err != nil {
		t.Error(err)
	}
	if _, err := pb.NewJWTClient(b.conn).CreateJWT(t.Context(), &pb.CreateJWTRequest{}); err != nil {
		t.Error(err)
	}
}

// newKey makes a key over the wire.
func newKey(t *testing.T, b *bench, kind pb.ApiKeyType) (token, id string) {
	t.Helper()
	r, err := b.keys.CreateApiKey(b.admin(t), &pb.CreateApiKeyRequest{Type: kind, Name: "k"})
	if err != nil {
		t.Fatal(status.Convert(err).Message())
	}
	k := r.GetApiKey()
	return base64.StdEncoding.EncodeToString([]byte(k.GetKey() + ":" + k.GetSecret())), k.GetId()
}
