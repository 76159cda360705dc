package stream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicEpochs holds one record for each rebuild of the namespace, the control
// record: key = number of the epoch, value = Epoch as JSON. It has one partition, is
// compacted and never forgets.
const TopicEpochs = "epochs"

// EpochShift is how many bits of a revision are the partition's counter; those above
// are the rebuild epoch.
const EpochShift = 40

// EpochState is how far a rebuild is.
type EpochState string

// The states of a rebuild, in their order.
const (
	EpochPreparing EpochState = "preparing" // state and offsets are being reset: no step may run
	EpochRunning   EpochState = "running"   // the steps make everything anew; readers see what was before
	EpochComplete  EpochState = "complete"  // readers see the epoch
)

// FromStart as Epoch.FromMillis says that the rebuild covers all there ever was. It
// is the earliest time that ClickHouse holds (1900).
const FromStart int64 = -2208988800000

// Epoch is the recorded point at which a journey model took effect: everything that
// is derived from raw records that arrived at FromMillis or later is made under it.
type Epoch struct {
	Epoch  uint32     `json:"epoch"`
	State  EpochState `json:"state"`
	Model  string     `json:"model"` // name of the journey model
	Asked  string     `json:"asked,omitempty"`
	Reason string     `json:"reason,omitempty"`
	// Times in Unix ms. FromMillis is by arrival; FromStart: everything.
	FromMillis      int64 `json:"from_ms"`
	BeganMillis     int64 `json:"began_ms"`
	CompletedMillis int64 `json:"completed_ms,omitempty"`
	// Offsets of touchpoints.raw by partition that the epoch begins at, as long as it
	// is being prepared and made: what progress is measured from.
	Offsets map[int32]int64 `json:"offsets,omitempty"`
}

// DecodeEpoch reads a record of TopicEpochs.
func DecodeEpoch(value []byte) (Epoch, error) {
	var e Epoch
	if err := json.Unmarshal(value, &e); err != nil {
		return e, fmt.Errorf("control record: %w", err)
	}
	return e, nil
}

// CurrentEpoch is the newest control record of a namespace. ok is false where there
// is none: nothing was ever rebuilt.
func CurrentEpoch(ctx context.Context, cl *kgo.Client, namespace string) (e Epoch, ok bool, err error) {
	list, err := ReadEpochs(ctx, cl, namespace)
	if err != nil || len(list) == 0 {
		return Epoch{}, false, err
	}
	return list[len(list)-1], true, nil
}

// ReadEpochs reads all control records of a namespace, the newest state of each, in
// the order of their numbers. A namespace without the topic has none.
func ReadEpochs(ctx context.Context, cl *kgo.Client, namespace string) ([]Epoch, error) {
	byNumber := map[uint32]Epoch{}
	if err := readControl(ctx, cl, Qualify(namespace, TopicEpochs), func(r *kgo.Record) error {
		e, err := DecodeEpoch(r.Value)
		byNumber[e.Epoch] = e
		return err
	}); err != nil {
		return nil, err
	}
	list := make([]Epoch, 0, len(byNumber))
	for _, e := range byNumber {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Epoch) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return list, nil
}

// readControl calls fn with all records of a control topic, of one partition. A
// topic that is not there has none.
func readControl(ctx context.Context, cl *kgo.Client, topic string, fn func(*kgo.Record) error) error {
	adm := kadm.NewClient(cl)
	details, err := adm.ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("describe %s: %w", topic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list end offsets of %s: %w", topic, err)
	}
	end, _ := ends.Lookup(topic, 0)
	return readAll(ctx, cl, topic, end.Offset, func(r *kgo.Record) error {
		if err := fn(r); err != nil {
			return fmt.Errorf("%s, offset %d: %w", topic, r.Offset, err)
		}
		return nil
	})
}

// readAll calls fn with the records of partition 0 of a topic up to an end. Nothing
// writes transactions there, so the last offset is a record's.
func readAll(ctx context.Context, cl *kgo.Client, topic string, end int64, fn func(*kgo.Record) error) error {
	if end == 0 {
		return nil
	}
	reader, err := kgo.NewClient(append(cl.Opts(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {0: kgo.NewOffset().AtStart()},
	}))...)
	if err != nil {
		return err
	}
	defer reader.Close()
	for next := int64(0); next < end; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for r := range fetches.RecordsAll() {
			next = r.Offset + 1
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// WriteEpoch makes e the control record of its epoch, acknowledged by all replicas.
func WriteEpoch(ctx context.Context, cl *kgo.Client, namespace string, e *Epoch) error {
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = cl.ProduceSync(ctx, &kgo.Record{
		Topic: Qualify(namespace, TopicEpochs), Key: []byte(strconv.FormatUint(uint64(e.Epoch), 10)), Value: value,
	}).FirstErr()
	if err != nil {
		return fmt.Errorf("write the control record of epoch %d: %w", e.Epoch, err)
	}
	return nil
}
