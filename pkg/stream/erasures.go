package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/wire"
)

// TopicErasures holds one record for each person that was forgotten: key = id of the
// erasure, value = wire.Erasure as JSON; and under keyOfSecret a wire.SecretCheck. It
// has one partition, is compacted and never forgets: by it a rebuild holds their events
// back. No identifier stands in it.
const TopicErasures = "erasures"

const keyOfSecret = "secret" // no erasure's id

// ReadErasures reads all erasures of a namespace, the newest state of each, in the
// order in which they were asked for, and the check of the secret that they are hashed
// under, "" if no sessionizer has written one yet. A namespace without the topic has
// none.
func ReadErasures(ctx context.Context, cl *kgo.Client, namespace string) (list []wire.Erasure, secretCheck string, err error) {
	byID := map[string]wire.Erasure{}
	if err := readControl(ctx, cl, Qualify(namespace, TopicErasures), func(r *kgo.Record) error {
		if string(r.Key) == keyOfSecret {
			secretCheck = string(r.Value)
			return nil
		}
		e, err := wire.DecodeErasure(r.Value)
		byID[e.ID] = e
		return err
	}); err != nil {
		return nil, "", err
	}
	list = make([]wire.Erasure, 0, len(byID))
	for _, e := range byID {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b wire.Erasure) int {
		return cmp.Or(cmp.Compare(a.RequestedMillis, b.RequestedMillis), cmp.Compare(a.ID, b.ID))
	})
	return list, secretCheck, nil
}

// WriteSecretCheck notes by what others find out whether they have the same secret.
func WriteSecretCheck(ctx context.Context, cl *kgo.Client, namespace, check string) error {
	err := cl.ProduceSync(ctx, &kgo.Record{
		Topic: Qualify(namespace, TopicErasures), Key: []byte(keyOfSecret), Value: []byte(check),
	}).FirstErr()
	if err != nil {
		return fmt.Errorf("write the check of identity.secret to the topic %s: %w", Qualify(namespace, TopicErasures), err)
	}
	return nil
}

// WriteErasure makes e the record of its erasure, acknowledged by all replicas.
func WriteErasure(ctx context.Context, cl *kgo.Client, namespace string, e *wire.Erasure) error {
	err := cl.ProduceSync(ctx, &kgo.Record{
		Topic: Qualify(namespace, TopicErasures), Key: []byte(e.ID), Value: wire.EncodeErasure(e),
	}).FirstErr()
	if err != nil {
		return fmt.Errorf("write the record of erasure %s: %w", e.ID, err)
	}
	return nil
}
