package snowplow

import (
	"encoding/json"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// entity is one context of an event.
type entity struct {
	schema schema
	data   json.RawMessage
}

// contexts keeps all contexts whole, and reads those that it knows.
func (b *builder) contexts() *door.Reject {
	docs, rej := b.documents("co", "cx")
	if rej != nil {
		return rej
	}
	var all []json.RawMessage
	for _, d := range docs {
		var list []json.RawMessage
		if len(d.Data) > 0 && json.Unmarshal(d.Data, &list) != nil {
			return door.NewReject(door.CodeBadField, "Contexts must be a list of documents.", "/co")
		}
		for _, raw := range list {
			all = append(all, raw)
			b.entity(raw)
		}
	}
	if len(all) > 0 {
		b.context["contexts"] = all
	}
	return nil
}

// entity notes one context; what cannot be read is only kept.
func (b *builder) entity(raw json.RawMessage) {
	var d document
	if json.Unmarshal(raw, &d) != nil {
		return
	}
	s, ok := parseSchema(d.Schema)
	if !ok {
		return
	}
	b.entities = append(b.entities, entity{s, d.Data})
	if s.Vendor != snowplows+"snowplow" {
		return
	}
	switch data := texts(d.Data); s.Name {
	case "web_page":
		setText(b.context, "pageViewId", data["id"])
	case "client_session":
		b.clientUser, b.clientSession, b.clientIndex = data["userId"], data["sessionId"], data["sessionIndex"]
	}
}

// commerce fills in, from the contexts of an e-commerce action, what the
// properties do not have yet: the transaction, the cart, the products...
func (b *builder) commerce(props map[string]any) {
	var products []json.RawMessage
	for _, e := range b.entities {
		if e.schema.Vendor != ecommerce {
			continue
		}
		switch e.schema.Name {
		case "product":
			products = append(products, e.data)
		case "transaction":
			fill(props, e.data, map[string]string{"transaction_id": "order_id", "discount_code": "coupon", "discount_amount": "discount"})
		case "refund":
			fill(props, e.data, map[string]string{"transaction_id": "order_id"})
		case "cart":
			fill(props, e.data, map[string]string{"total_value": "value"})
		case "promotion":
			fill(props, e.data, map[string]string{"id": "promotion_id"})
		case "checkout_step", "transaction_error":
			fill(props, e.data, nil)
		}
	}
	if len(products) == 1 {
		fill(props, products[0], map[string]string{"id": "product_id"})
	}
	if _, has := props["products"]; !has && len(products) > 0 {
		props["products"] = products
	}
}

// fill adds the members of data that are not there, some under other names.
func fill(props map[string]any, data json.RawMessage, names map[string]string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return
	}
	for name, value := range members {
		if n := names[name]; n != "" {
			name = n
		}
		if _, has := props[name]; !has {
			props[name] = value
		}
	}
}
