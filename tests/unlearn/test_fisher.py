import torch


def test_fisher_is_the_mean_of_squared_per_example_gradients(tiny, parts):
    examples = parts.forget
    names = list(parts.weights)
    leaves = [tiny.module.get_parameter(name) for name in names]
    expected = {name: torch.zeros_like(leaf) for name, leaf in zip(names, leaves, strict=True)}
    try:
        for leaf in leaves:
            leaf.requires_grad_()
        for example in examples:
            tokens = torch.tensor([example.tokens])
            log_probs = tiny.module(tokens).logits[0].log_softmax(-1)
            answer = tokens[0, example.answer_start :]
            predicted = log_probs[example.answer_start - 1 : -1]
            loss = -predicted.gather(1, answer[:, None]).mean()
            for name, gradient in zip(names, torch.autograd.grad(loss, leaves), strict=True):
                expected[name] += gradient**2 / len(examples)
    finally:
        for leaf in leaves:
            leaf.requires_grad_(False)
    for name in names:
        torch.testing.assert_close(parts.forget_fisher[name], expected[name], rtol=1e-3, atol=1e-9)
